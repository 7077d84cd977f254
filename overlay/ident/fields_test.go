package ident

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestReadFieldsStrict(t *testing.T) {
	cases := []struct {
		name string
		body []byte
		want error
	}{
		{"empty", nil, nil},
		{"known", []byte{1, 1, 'a', 2, 0}, nil},
		{"unknown odd is ignored", []byte{1, 1, 'a', 7, 1, 'b'}, nil},
		{"unknown even is refused", []byte{1, 1, 'a', 8, 1, 'b'}, ErrUnknownField},
		{"order", []byte{2, 0, 1, 0}, ErrEncoding},
		{"twice", []byte{1, 0, 1, 0}, ErrEncoding},
		{"unknown twice", []byte{7, 0, 7, 0}, ErrEncoding},
		{"tag cut short", []byte{0x80}, ErrEncoding},
		{"length missing", []byte{1}, ErrEncoding},
		{"value cut short", []byte{1, 2, 'a'}, ErrEncoding},
		{"length beyond all memory", []byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, ErrEncoding},
		{"tag not in shortest form", []byte{0x81, 0x00, 0}, ErrEncoding},
		{"length not in shortest form", []byte{1, 0x81, 0x00, 'a'}, ErrEncoding},
		{"overflow", bytes.Repeat([]byte{0xff}, 11), ErrEncoding},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadFields(c.body, 1, 2)
			if !errors.Is(err, c.want) {
				t.Errorf("ReadFields = %v, want %v", err, c.want)
			}
		})
	}
}

func TestReaderErrors(t *testing.T) {
	var f Fields
	f.Bytes(1, []byte("abc"))
	f.Text(2, "\xff")
	f.List(3, [][]byte{[]byte("long item"), nil})
	f.Bytes(4, []byte{2, 0})    // a list of two cut short
	f.Bytes(5, []byte{0, 0})    // bytes after a list
	f.Bytes(6, []byte{0xff, 1}) // a long list in no bytes
	cases := []struct {
		name string
		read func(r *Reader)
		want error
	}{
		{"fine", func(r *Reader) { r.Bytes(1, 3); r.List(3, 2, 9); r.Uint(9); r.Key(9) }, nil},
		{"too long", func(r *Reader) { r.Bytes(1, 2) }, ErrTooLarge},
		{"not fixed", func(r *Reader) { r.Fixed(1, make([]byte, 4)) }, ErrEncoding},
		{"not an integer", func(r *Reader) { r.Uint(1) }, ErrEncoding},
		{"not UTF-8", func(r *Reader) { r.Text(2, 9) }, ErrEncoding},
		{"not a key", func(r *Reader) { r.Key(1) }, ErrKey},
		{"too many items", func(r *Reader) { r.List(3, 1, 9) }, ErrTooLarge},
		{"item too long", func(r *Reader) { r.List(3, 2, 8) }, ErrTooLarge},
		{"list cut short", func(r *Reader) { r.List(4, 9, 9) }, ErrEncoding},
		{"bytes after a list", func(r *Reader) { r.List(5, 9, 9) }, ErrEncoding},
		{"count beyond the bytes", func(r *Reader) { r.List(6, 1000, 9) }, ErrEncoding},
		{"missing", func(r *Reader) { r.Need(1, 9) }, ErrMissingField},
		{"the first error sticks", func(r *Reader) { r.Need(9); r.Uint(1) }, ErrMissingField},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, err := ReadFields(f.Body(), 1, 2, 3, 4, 5, 6, 9)
			if err != nil {
				t.Fatal(err)
			}
			c.read(r)
			if !errors.Is(r.Err(), c.want) || (c.want == nil) != (r.Err() == nil) {
				t.Errorf("Err = %v, want %v", r.Err(), c.want)
			}
		})
	}
}

func TestFieldsOrderPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a descending tag was written")
		}
	}()
	var f Fields
	f.Uint(2, 1)
	f.Uint(2, 1)
}

func TestFieldsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		num := rapid.Uint64().Draw(t, "uint")
		text := rapid.String().Draw(t, "text")
		list := rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, "list")
		var f Fields
		f.Bytes(0, raw)
		f.Uint(3, num)
		f.Text(300, text)
		f.List(1<<40, list)
		r, err := ReadFields(f.Body(), 0, 3, 300, 1<<40)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Bytes(0, len(raw)); !bytes.Equal(got, raw) {
			t.Errorf("bytes %x", got)
		}
		if r.Uint(3) != num || r.Text(300, len(text)) != text {
			t.Error("integer or text changed")
		}
		got := r.List(1<<40, len(list), 1<<20)
		if len(got) != len(list) {
			t.Fatalf("list of %d", len(got))
		}
		for i := range list {
			if !bytes.Equal(got[i], list[i]) {
				t.Errorf("item %d: %x", i, got[i])
			}
		}
		if r.Err() != nil {
			t.Error(r.Err())
		}
	})
}

// FuzzReadFields: whatever is accepted is written back byte for byte.
func FuzzReadFields(f *testing.F) {
	f.Add([]byte{1, 1, 'a', 2, 8, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Add([]byte{3, 3, 1, 1, 'x'})
	f.Add([]byte{7, 0, 8, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		tags := []uint64{0, 1, 2, 3, 4, 5, 6}
		r, err := ReadFields(b, tags...)
		if err != nil {
			return
		}
		var w Fields
		odd := false
		for _, tag := range tags {
			if r.Has(tag) {
				w.Bytes(tag, r.Bytes(tag, len(b)))
			}
			r.Text(tag, 10)
			r.Uint(tag)
			r.Key(tag)
			for _, item := range r.List(tag, 100, 100) {
				if len(item) > 100 {
					t.Fatal("item over its limit")
				}
			}
		}
		for rest := b; len(rest) > 0; {
			tag, _, next, err := cutField(rest)
			if err != nil {
				t.Fatal(err)
			}
			odd = odd || tag > 6
			rest = next
		}
		if !odd && !bytes.Equal(w.Body(), b) {
			t.Errorf("%x written back as %x", b, w.Body())
		}
	})
}
