//go:build !windows

package scheme

// There is no registry here.

func (c Config) installKeys() (Done, error) { return Done{}, ErrSystem }

func (c Config) removeKeys() (Done, error) { return Done{}, ErrSystem }
