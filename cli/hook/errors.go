package hook

import "errors"

// Why a hook does nothing. Only its debug log ever shows them.
var (
	errSilent = errors.New("the agent said nothing in time")
	errInput  = errors.New("what the agent said is no JSON object")
	errEvent  = errors.New("there is no such event")
	errLate   = errors.New("the node did not answer in time")
	errFile   = errors.New("the transcript is no plain file")
)
