package replica

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/store/records/recordstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type contractDisk struct{ d *memDisk }

func (c contractDisk) Update(ctx context.Context, fn func(recordstest.Tx) error) error {
	return c.d.Update(ctx, func(tx Tx) error { return fn(tx) })
}

func (c contractDisk) View(fn func(recordstest.Tx) error) error {
	return c.d.View(func(tx Tx) error { return fn(tx) })
}

// What the tests of this package use as a disk keeps the same contract as the store.
func TestMemoryTables(t *testing.T) {
	recordstest.Run(t, func(*testing.T) (recordstest.Disk, func() recordstest.Disk) {
		return contractDisk{newMemDisk()}, nil
	})
}
