package code

import "errors"

// Reading a code.
var (
	// ErrCode: the text is no code.
	ErrCode = errors.New("this is no code: a code is a number and two words, such as 4-tiger-harbor")
	// ErrWord: one of its words is not on the list.
	ErrWord = errors.New("no code has this word")
)

// What an attempt ends with.
var (
	// ErrUnknown: the node asked gave out no such code, or not any more.
	ErrUnknown = errors.New("there is no such code any more: ask the inviter for a new one")
	// ErrBusy: somebody else is trying this code right now.
	ErrBusy = errors.New("somebody else is using this code right now: try again in a moment")
	// ErrWrong: the words are not those of the code, which is burnt by that.
	ErrWrong = errors.New("the code is not the right one, and is void now: ask the inviter for a new one")
	// ErrImpostor: the other node does not know the words.
	ErrImpostor = errors.New("the node that answered does not know this code: somebody on the network may pretend to be the inviter; ask for a new code")
	// ErrUnavailable: the node asked cannot hand out codes now.
	ErrUnavailable = errors.New("the inviting node cannot answer now: try again later")
	// ErrMalformed: bytes that are no message of this protocol.
	ErrMalformed = errors.New("code: malformed message")
)

// Giving out codes.
var (
	// ErrTooMany: as many codes as there may be are open.
	ErrTooMany = errors.New("too many codes are open: wait until some are over")
)

// Why an attempt was refused, as it travels.
const (
	saysUnknown     = "unknown"
	saysBusy        = "busy"
	saysWrong       = "wrong"
	saysUnavailable = "unavailable"
)

var refusals = [...]struct {
	says string
	err  error
}{{saysUnknown, ErrUnknown}, {saysBusy, ErrBusy}, {saysWrong, ErrWrong}, {saysUnavailable, ErrUnavailable}}

func errorOf(says string) error {
	for _, r := range refusals {
		if r.says == says {
			return r.err
		}
	}
	return ErrUnavailable
}

// Told tells whether an error of Serve was told to the other side.
func Told(err error) bool {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return true
		}
	}
	return false
}

func saysOf(err error) string {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.says
		}
	}
	return saysUnavailable
}
