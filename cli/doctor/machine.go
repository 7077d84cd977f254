package doctor

import "github.com/claudemesh/claudemesh/cli/doctor/probe"

// Machine is the one that this runs on.
func Machine() probe.System { return probe.New() }
