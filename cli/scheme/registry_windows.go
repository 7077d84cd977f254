package scheme

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows/registry"
)

func (c Config) installKeys() (Done, error) {
	done := Done{Where: `HKEY_CURRENT_USER\` + classKey, Notes: []string{}}
	values, err := Registry(c.Exe)
	if err != nil {
		return done, err
	}
	for _, v := range values {
		changed, err := set(v)
		if err != nil {
			return done, fmt.Errorf("write %s: %w", v.Key, err)
		}
		done.Changed = done.Changed || changed
	}
	return done, nil
}

// set writes one value and tells whether it was another before.
func set(v Value) (changed bool, err error) {
	key, _, err := registry.CreateKey(registry.CURRENT_USER, v.Key, registry.QUERY_VALUE|registry.SET_VALUE)
	if err != nil {
		return false, err
	}
	defer key.Close()
	if old, _, err := key.GetStringValue(v.Name); err == nil && old == v.Text {
		return false, nil
	}
	return true, key.SetStringValue(v.Name, v.Text)
}

func (c Config) removeKeys() (Done, error) {
	done := Done{Where: `HKEY_CURRENT_USER\` + classKey, Notes: []string{}}
	// A key goes only when nothing is below it.
	for _, below := range []string{`\shell\open\command`, `\shell\open`, `\shell`, ``} {
		err := registry.DeleteKey(registry.CURRENT_USER, classKey+below)
		if errors.Is(err, registry.ErrNotExist) {
			continue
		}
		if err != nil {
			return done, fmt.Errorf("remove %s: %w", classKey+below, err)
		}
		done.Changed = true
	}
	return done, nil
}
