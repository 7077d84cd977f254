package record

import (
	"testing"

	"github.com/claudemesh/claudemesh/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m, 1000) }
