package mesh

import (
	"context"
	"errors"
	"fmt"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Setting is what the admin log says under a key, empty for nothing.
func (m *Mesh) Setting(key string) string { return m.admin.State().Settings[key] }

// SetSetting writes a setting of the mesh into the admin log; an empty value unsets
// it. It returns once that is committed and the other parts of the node follow. It
// fails with op.Denied unless the own member is the owner or an admin, and with
// op.TooLarge.
func (m *Mesh) SetSetting(ctx context.Context, key, value string) error {
	if len(value) > trust.MaxSettingValue {
		return op.Errorf(op.TooLarge, "the setting %s has %d bytes, the limit is %d", key, len(value), trust.MaxSettingValue)
	}
	m.setting.Lock()
	defer m.setting.Unlock()
	if m.Setting(key) == value {
		return nil
	}
	entry, err := m.admin.SignSet(m.member, key, value, m.all.cfg.Now())
	if errors.Is(err, trust.ErrDenied) {
		return op.Errorf(op.Denied, "only the owner and admins change the settings of %s: %w", m.Slug(), err).
			WithHint("ask an admin of the mesh; `claudemesh info` lists them")
	}
	if err != nil {
		return fmt.Errorf("sign setting: %w", err)
	}
	added, err := m.take(ctx, []trust.Entry{entry}, nil)
	if err != nil {
		return diskError(err)
	}
	m.all.changed(m, added)
	return nil
}
