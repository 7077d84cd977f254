package replica

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

var testKey = ident.PrivateKeyFromSeed([32]byte{1, 2, 3})

func testHeader() Header {
	return Header{Log: Log{Inc: 7}, N: 3, Slot: Slot{9}, Clock: ClockAt(time.UnixMilli(1_700_000_000_000)) + 2, Epoch: ident.ID{4}, Digest: Sum{5}}
}

func mustMake(t testing.TB, h Header, cipher []byte) Record {
	t.Helper()
	r, err := Make(testKey, h, cipher)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRecordIsReadAsItWasMade(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := Header{
			Log: Log{Inc: rapid.Uint64Range(0, maxNumber).Draw(rt, "inc")}, N: rapid.Uint64Range(1, maxNumber).Draw(rt, "n"),
			Clock: Clock(rapid.Uint64().Draw(rt, "clock")), Deleted: rapid.Bool().Draw(rt, "deleted"),
		}
		copy(h.Slot[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(rt, "slot"))
		copy(h.Digest[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(rt, "digest"))
		cipher := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "cipher")
		made, err := Make(testKey, h, cipher)
		if err != nil {
			rt.Fatal(err)
		}
		read, err := Parse(made.Raw())
		if err != nil {
			rt.Fatal(err)
		}
		if read.Header != made.Header || read.Hash() != made.Hash() || !bytes.Equal(read.Sealed(), cipher) || read.Verify() != nil {
			rt.Fatalf("made %+v, read %+v", made.Header, read.Header)
		}
		other := h
		other.Digest = Sum{}
		zero, _ := Make(testKey, other, cipher)
		body := zero.Header.body()
		if sha256.Sum256(body) != read.Hash() {
			rt.Fatal("the hash is not that of the header with zeros for its digest")
		}
	})
}

// An implementation in another language can check itself against this one.
func TestRecordVector(t *testing.T) {
	r := mustMake(t, testHeader(), []byte("sealed"))
	const wantHash = "7d274947dea071ce6a39d85a31524d962989df6f270bec3ef44aad38be64c6a4"
	const wantRaw = "1328ebaf8cc818cd996ae2c7851e1c074a7f3bcc8af7e4dec3ec4d65ebee2746"
	if got := hex.EncodeToString(r.hash[:]); got != wantHash {
		t.Errorf("hash %s", got)
	}
	raw := sha256.Sum256(r.Raw())
	if got := hex.EncodeToString(raw[:]); got != wantRaw {
		t.Errorf("SHA-256 of the record %s", got)
	}
}

func TestAADLeavesOutWhatTheCiphertextDecides(t *testing.T) {
	h := testHeader()
	want := AAD(h)
	h.Cipher, h.Digest = [32]byte{1}, Sum{2}
	if !bytes.Equal(AAD(h), want) {
		t.Error("AAD depends on the ciphertext's hash or the digest")
	}
	h.Slot[5]++
	if bytes.Equal(AAD(h), want) {
		t.Error("AAD does not cover the slot")
	}
}

func TestParseRefuses(t *testing.T) {
	good := mustMake(t, testHeader(), []byte("sealed"))
	change := func(fn func([]byte) []byte) []byte { return fn(bytes.Clone(good.Raw())) }
	withField := func(tag uint64) []byte {
		f := good.Header.bound()
		f.Bytes(tagCipher, good.Cipher[:])
		f.Bytes(tagDigest, good.Digest[:])
		f.Bytes(tag, []byte("later"))
		return append(ident.Sign(ident.KindRecord, ident.MeshID{}, f.Body(), testKey).Marshal(), good.cipher...)
	}
	for _, c := range []struct {
		name string
		raw  []byte
		want error
	}{
		{"nothing", nil, ErrRecord},
		{"cut short", good.Raw()[:100], ErrRecord},
		{"another ciphertext", change(func(b []byte) []byte { b[len(b)-1]++; return b }), ErrRecord},
		{"bytes behind it", append(bytes.Clone(good.Raw()), 0), ErrRecord},
		{"two signatures", change(func(b []byte) []byte { b[len(b)-len("sealed")-65] = 2; return b }), ErrRecord},
		{"too long", make([]byte, MaxRecord+1), ErrTooLarge},
		{"a header longer than all", append([]byte{0xff, 0xff, 0x7f}, make([]byte, 2000)...), ErrRecord},
		{"an unknown field that must be understood", withField(10), ErrRecord},
	} {
		if _, err := Parse(c.raw); !errors.Is(err, c.want) {
			t.Errorf("%s: got error %v, want %v", c.name, err, c.want)
		}
	}
	later, err := Parse(withField(11))
	if err != nil || later.Verify() != nil {
		t.Errorf("a field of a later version: %v", err)
	}
	if _, err := Make(testKey, testHeader(), make([]byte, MaxCipher+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a ciphertext over the limit: %v", err)
	}
	if _, err := Make(testKey, Header{}, nil); !errors.Is(err, ErrRecord) {
		t.Errorf("number 0: %v", err)
	}
	if _, err := Parse(mustMake(t, testHeader(), make([]byte, MaxCipher)).Raw()); err != nil {
		t.Errorf("the longest ciphertext: %v", err)
	}
}

func TestASignatureCoversTheHeader(t *testing.T) {
	good := mustMake(t, testHeader(), []byte("sealed"))
	for i := 2; i < len(good.raw)-len("sealed"); i++ {
		raw := bytes.Clone(good.raw)
		raw[i] ^= 1
		if r, err := Parse(raw); err == nil && r.Verify() == nil {
			t.Errorf("byte %d may be changed", i)
		}
	}
}

func TestSumsAreReckonedModulo(t *testing.T) {
	mod := new(big.Int).Lsh(big.NewInt(1), 256)
	sum := rapid.Custom(func(rt *rapid.T) (s Sum) {
		copy(s[:], rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 127, 128, 255}), 32, 32).Draw(rt, "s"))
		return s
	})
	rapid.Check(t, func(rt *rapid.T) {
		a, b := sum.Draw(rt, "a"), sum.Draw(rt, "b")
		x := new(big.Int).Add(new(big.Int).SetBytes(a[:]), new(big.Int).SetBytes(b[:]))
		var want Sum
		x.Mod(x, mod).FillBytes(want[:])
		if a.plus(b) != want || a.plus(b).minus(b) != a {
			rt.Fatalf("%x + %x = %x", a, b, a.plus(b))
		}
	})
}

func TestClock(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_123).UTC()
	for _, c := range []struct {
		name         string
		last, beaten Clock
		want         Clock
	}{
		{"time goes on", ClockAt(now) - 5, 0, ClockAt(now)},
		{"the same millisecond", ClockAt(now), 0, ClockAt(now) + 1},
		{"own clock ahead", ClockAt(now.Add(time.Hour)), 0, ClockAt(now.Add(time.Hour)) + 1},
		{"the record overwritten is ahead", 0, ClockAt(now.Add(time.Minute)), ClockAt(now.Add(time.Minute)) + 1},
	} {
		if got := NextClock(now, c.last, c.beaten); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	if got := ClockAt(now).Time(); !got.Equal(now) {
		t.Errorf("%v became %v", now, got)
	}
	if ClockAt(time.Unix(-5, 0)) != 0 {
		t.Error("a time before 1970 has a clock")
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(mustMake(f, testHeader(), []byte("sealed")).Raw())
	h := testHeader()
	h.Deleted = true
	f.Add(mustMake(f, h, nil).Raw())
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := Parse(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Raw(), raw) {
			t.Error("what was read is not what came")
		}
		again, err := Parse(r.Raw())
		if err != nil || again.Header != r.Header || again.hash != r.hash {
			t.Errorf("read twice: %v", err)
		}
	})
}

func FuzzFrame(f *testing.F) {
	rec := mustMake(f, testHeader(), []byte("sealed"))
	f.Add(byte(frameSum), greeting{clock: 5, author: testKey.Public()}.encode()[1:])
	f.Add(byte(frameVector), claim{log: rec.Log, m: 4}.append(nil))
	f.Add(byte(frameWant), want{rec.Log, 4, 7}.frame()[1:])
	f.Add(byte(frameList), listFrame(rec.Log)[1:])
	f.Add(byte(framePick), pickFrame(rec.Log, []uint64{3, 4, 700})[1:])
	f.Add(byte(frameRecords), appendRecord(appendRecord(nil, rec.raw), rec.raw))
	f.Add(byte(frameEntries), entry{n: 3, hash: rec.hash}.append(nil))
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		same := func(again []byte, err error) {
			if err == nil && !bytes.Equal(again, b) {
				t.Errorf("frame %d: %x was read and is written as %x", kind, b, again)
			}
		}
		switch kind {
		case frameSum:
			g, err := decodeGreeting(b)
			if err == nil {
				if again, err := decodeGreeting(g.encode()[1:]); err != nil || again != g {
					t.Errorf("a sum read twice: %v", err)
				}
			}
		case frameVector:
			var last Log
			claims, err := decodeClaims(b, &last)
			var again []byte
			for _, c := range claims {
				again = c.append(again)
			}
			same(again, err)
		case frameWant:
			w, err := decodeWant(b)
			same(w.frame()[1:], err)
		case frameList:
			l, err := decodeList(b)
			same(listFrame(l)[1:], err)
		case framePick:
			l, numbers, err := decodePick(b)
			if err == nil && len(pickFrame(l, numbers)) > len(b)+1 {
				t.Error("a pick grew")
			}
		case frameRecords:
			_, _ = decodeRecords(b)
		case frameEntries:
			var last uint64
			entries, err := decodeEntries(b, &last)
			var again []byte
			for _, e := range entries {
				again = e.append(again)
			}
			same(again, err)
		}
	})
}
