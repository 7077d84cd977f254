package powercut

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// A file is followed like a plain slice, and what an image keeps is between
// the last sync and now.
func TestPagesFollowAFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPages()
		var now, synced []byte
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for at := range rapid.IntRange(1, 40).Draw(t, "events") {
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0, 1:
				off := rapid.IntRange(0, 5*pageSize).Draw(t, "off")
				data := bytes.Repeat([]byte{byte(at + 1)}, rapid.IntRange(1, 2*pageSize).Draw(t, "len"))
				if need := off + len(data); need > len(now) {
					now = append(now, make([]byte, need-len(now))...)
				}
				copy(now[off:], data)
				p.write(at, int64(off), data)
			case 2:
				size := rapid.IntRange(0, 6*pageSize).Draw(t, "size")
				if size < len(now) {
					now = now[:size:size]
				}
				now = append(now, make([]byte, size-len(now))...)
				p.resize(at, int64(size))
			case 3:
				p.sync(at)
				synced = bytes.Clone(now)
			}
			if !bytes.Equal(p.now, now) {
				t.Fatalf("event %d: content differs", at)
			}
			if got := p.image(losses[0], random); !bytes.Equal(got, synced) {
				t.Fatalf("event %d: what is synced differs (%d bytes, want %d)", at, len(got), len(synced))
			}
			for _, l := range losses[1:] {
				p.image(l, random)
			}
		}
		p.sync(1000)
		for _, l := range losses {
			if got := p.image(l, random); !bytes.Equal(got, now) {
				t.Fatalf("%s: everything is synced, but not all is kept", l.name)
			}
		}
	})
}

func TestSyncCoversOnlyWhatWasBeforeIt(t *testing.T) {
	p := newPages()
	p.write(0, 0, []byte("old"))
	p.write(1, 0, []byte("new"))
	p.sync(1) // began before event 1
	if got := p.image(losses[0], rand.New(rand.NewPCG(0, 0))); string(got) != "old" {
		t.Errorf("got %q", got)
	}
}

func TestImagesLoseUnsyncedPages(t *testing.T) {
	p := newPages()
	p.write(0, 0, make([]byte, 100*pageSize))
	p.sync(1)
	p.write(1, 0, bytes.Repeat([]byte{1}, 100*pageSize))
	random := rand.New(rand.NewPCG(1, 2))
	for i, want := range []struct{ min, max int }{{0, 0}, {30, 70}, {80, 99}} {
		img, kept := p.image(losses[i], random), 0
		for n := range 100 {
			kept += int(img[n*pageSize])
		}
		if kept < want.min || kept > want.max {
			t.Errorf("%s: %d of 100 pages kept", losses[i].name, kept)
		}
	}
	torn := 0
	img := p.image(losses[3], random)
	for n := range 100 {
		page := img[n*pageSize : (n+1)*pageSize]
		if ones := bytes.Count(page, []byte{1}); ones > 0 && ones < pageSize {
			torn++
		}
	}
	if torn < 80 {
		t.Errorf("only %d of 100 pages are torn", torn)
	}
}
