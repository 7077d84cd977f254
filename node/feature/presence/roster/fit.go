package roster

// signing is what a statement adds to a beacon's body, and more.
const signing = 1 << 10

// Fit shortens the longest summaries, and if that is not enough what else a person reads
// of a session, until the beacon is within MaxBeacon: all that decides who gets what
// stays, and a session's card has its summary in full.
func (b *Beacon) Fit() {
	for most := 4 * MaxSummary; most > 0 && b.over(); {
		most /= 2
		for i := range b.Cards {
			b.Cards[i].Summary = clip(b.Cards[i].Summary, most)
		}
	}
	for most := MaxCwd; most > 0 && b.over(); {
		most /= 2
		for i := range b.Cards {
			c := &b.Cards[i]
			for _, text := range []*string{&c.Cwd, &c.Host, &c.Model, &c.Channel} {
				*text = clip(*text, most)
			}
		}
	}
}

func (b *Beacon) over() bool { return len(b.Encode()) > MaxBeacon-signing }

// clip cuts text to at most n bytes at a character border.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
