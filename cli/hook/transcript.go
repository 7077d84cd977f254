package hook

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"slices"
	"syscall"
)

const (
	// maxTail is how much of a transcript's end is read, in bytes.
	maxTail = 256 << 10
	// maxIDs is how many ids are told at once, the last ones.
	maxIDs = 200
)

// seen is what a text shows of messages.
type seen struct {
	ids     []string
	channel bool // something that was pushed arrived
}

var (
	// element is a message as the model was given it: pushed, or handed out by a hook,
	// whose elements have via before all else. In a transcript its quotes are escaped.
	element = regexp.MustCompile(`<channel source=\\?"claudemesh\\?" ([^>]*)`)
	idOf    = regexp.MustCompile(`message_id=\\?"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\\?"`)
)

// look finds messages in a text. Those of a hook count, too: had it no time to say that
// it wrote them, they would be handed out again.
func (s *seen) look(text []byte) {
	for _, m := range element.FindAllSubmatch(text, -1) {
		s.channel = s.channel || !bytes.HasPrefix(m[1], []byte("via="))
		if id := idOf.FindSubmatch(m[1]); id != nil && !slices.Contains(s.ids, string(id[1])) {
			s.ids = append(s.ids, string(id[1]))
		}
	}
	s.ids = s.ids[max(0, len(s.ids)-maxIDs):]
}

// waiting marks lines about what only stands in the client's queue.
var waiting = []byte(`"queue-operation"`)

// transcript looks at the end of a transcript. Whole lines count, and only those of
// what the model was given.
func (s *seen) transcript(path string) error {
	if path == "" {
		return nil
	}
	tail, err := tailOf(path)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(tail) {
		if !bytes.Contains(line, waiting) {
			s.look(line)
		}
	}
	return nil
}

// tailOf reads the end of a plain file, from the first line that is whole.
func tailOf(path string) ([]byte, error) {
	// Without waiting: what the agent names might be a pipe.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errFile
	}
	from := max(0, info.Size()-maxTail)
	text, err := io.ReadAll(io.NewSectionReader(f, from, maxTail))
	if err != nil {
		return nil, err
	}
	if from > 0 {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text, nil
}
