package host

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	for failed, want := range map[int]time.Duration{1: time.Second, 3: 4 * time.Second, 9: time.Minute, 99: time.Minute} {
		if d := backoff(failed); d < want*3/4 || d > want*5/4 {
			t.Errorf("after %d failures %v", failed, d)
		}
	}
}
