package powercut_test

import (
	"os"
	"testing"

	"github.com/claudemesh/claudemesh/test/powercut"
)

func TestMain(m *testing.M) {
	powercut.Main(map[string]func(string) error{
		"files":    filesChild,
		"store":    storeChild,
		"nosync":   noSyncChild,
		"early":    earlyChild,
		"migrate":  migrateChild,
		"badsync":  badSyncChild,
		"fulldisk": fullDiskChild,
	})
	os.Exit(m.Run())
}
