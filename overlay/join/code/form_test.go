package code

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

func TestParse(t *testing.T) {
	if len(list()) != 2048 || !slices.IsSorted(list()) {
		t.Fatal("the list of words is another one")
	}
	for text, want := range map[string]string{
		"4-otter-harbor": "", "4-actor-zoo": "4-actor-zoo", " 4 Actor ZOO ": "4-actor-zoo", "999-zoo-zoo": "999-zoo-zoo",
		"4-actor-zoo@192.168.1.2:4001": "4-actor-zoo", "4-actor": "", "0-actor-zoo": "", "1000-actor-zoo": "", "-4-actor-zoo": "4-actor-zoo",
		"4-actor-zoo-zoo": "", "": "", "4-actor-z00": "", "a-actor-zoo": "", strings.Repeat("4", 80): "",
	} {
		c, at, err := Parse(text)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q: %s", text, c.Text())
		case want != "" && (err != nil || c.Text() != want):
			t.Errorf("%q: %s, %v", text, c.Text(), err)
		case strings.Contains(text, "@") && at != "192.168.1.2:4001":
			t.Errorf("%q: at %q", text, at)
		}
	}
	for text, want := range map[string]bool{
		"4-otter-harbor": true, "4-nosuch-word": true, "claudemesh://join/AQ": false, "first-light": false, "peers": false, "4-a-b@1.2.3.4:1": true,
	} {
		if Looks(text) != want {
			t.Errorf("%q looks like a code: %v", text, !want)
		}
	}
	if _, _, err := Parse("4-actors-zoo"); !errors.Is(err, ErrWord) || !strings.Contains(err.Error(), "actor?") {
		t.Error(err)
	}
	c, err := Make(4)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %s %q", c, c, c, c), c.LogValue().String()} {
		if strings.Contains(text, c.words[0]) {
			t.Errorf("%q shows the words", text)
		}
	}
}

func TestExchange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) Code {
			word := rapid.SampledFrom(list()[:4])
			return Code{Plate: rapid.IntRange(1, 3).Draw(t, name), words: [2]string{word.Draw(t, name), word.Draw(t, name)}}
		}
		ids := func(name string) Ends {
			id := rapid.SliceOfN(rapid.ByteRange(0, 1), 0, 2)
			return Ends{Joiner: id.Draw(t, name), Admitter: id.Draw(t, name)}
		}
		a, b, endsA, endsB := draw("a"), draw("b"), ids("ends a"), ids("ends b")
		p, x, err := begin(a, endsA)
		if err != nil {
			t.Fatal(err)
		}
		y, kb, err := reply(b, endsB, x)
		if err != nil {
			t.Fatal(err)
		}
		ka, err := finish(a, endsA, p, x, y)
		if err != nil {
			t.Fatal(err)
		}
		same := a == b && bytes.Equal(endsA.Joiner, endsB.Joiner) && bytes.Equal(endsA.Admitter, endsB.Admitter)
		if (ka == kb) != same || ka.joiner == ka.admitter || (ka.joiner == kb.joiner) != same {
			t.Fatalf("%s %s: same keys %v", a.Text(), b.Text(), ka == kb)
		}
	})
}

func TestPointsThatAreNone(t *testing.T) {
	_, good, err := begin(Code{Plate: 1}, Ends{})
	if err != nil {
		t.Fatal(err)
	}
	field := append([]byte{4}, bytes.Repeat([]byte{255}, 64)...) // not reduced
	for name, raw := range map[string][]byte{
		"nothing": nil, "short": good[:64], "long": append(good[:], 0), "infinity": {0}, "padded infinity": make([]byte, 65),
		"zeros": append([]byte{4}, make([]byte, 64)...), "not reduced": field,
		"compressed": append([]byte{2}, good[1:33]...), "off the curve": append(bytes.Clone(good[:64]), good[64]^1),
	} {
		if _, err := readPoint(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		var f ident.Fields
		f.Uint(fieldPlate, 1)
		f.Bytes(fieldPoint, raw)
		if _, err := decode(append([]byte{byte(kindStart)}, f.Body()...)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s in a frame: %v", name, err)
		}
	}
}

// Whatever a stranger sends, the host answers or ends the stream, and the code stands.
func TestMalformedStreams(t *testing.T) {
	h := newHost(t)
	c, _ := h.offer()
	_, x, err := begin(c, Ends{})
	if err != nil {
		t.Fatal(err)
	}
	start := message{kind: kindStart, plate: c.Plate, point: x}.encode()
	for name, frames := range map[string][][]byte{
		"empty frame":           {{}},
		"confirm at once":       {message{kind: kindConfirm}.encode()},
		"cut start":             {start[:len(start)-1]},
		"longer start":          {append(bytes.Clone(start), 0)},
		"plate 0":               {message{kind: kindStart, point: x}.encode()},
		"plate 1000":            {message{kind: kindLook, plate: 1000}.encode()},
		"start twice":           {start, start},
		"too large a frame":     {start, make([]byte, MaxFrame+1)},
		"unknown kind":          {start, {99}},
		"looks without end":     slices.Repeat([][]byte{message{kind: kindLook, plate: c.Plate}.encode()}, maxLooks+1),
		"refusal from a joiner": {start, message{kind: kindRefused, why: saysWrong}.encode()},
	} {
		s, conn := h.dial("eve")
		go io.Copy(io.Discard, s) //nolint:errcheck // ends with the stream
		for _, f := range frames {
			_ = conn.Send(f)
		}
		s.Close()
		h.wg.Wait()
		if got := h.outcome(c); got != Waiting {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := h.redeem(c, "bo", "ana"); err != nil {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	_, x, err := begin(Code{Plate: 1}, Ends{})
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range []message{
		{kind: kindLook, plate: 4}, {kind: kindHere, plate: 4}, {kind: kindStart, plate: 4, point: x}, {kind: kindAnswer, point: x},
		{kind: kindConfirm}, {kind: kindSecret, sealed: make([]byte, sealedSize)}, {kind: kindRefused, why: saysBusy},
	} {
		f.Add(m.encode())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := decode(raw)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		again, err := decode(m.encode())
		if err != nil || !bytes.Equal(again.encode(), m.encode()) {
			t.Fatalf("%+v, %v", m, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"4-otter-harbor", "4-actor-zoo@1.2.3.4:5", " 12 ACTOR zoo", "0--", "@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, _, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrCode) && !errors.Is(err, ErrWord) {
				t.Fatal(err)
			}
			return
		}
		if again, at, err := Parse(c.Text()); err != nil || again != c || at != "" || !Looks(text) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
