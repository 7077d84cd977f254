package roster

// signing is what a statement adds to a beacon's body, and more.
const signing = 1 << 10

// Fit shortens the longest summaries until the beacon is within MaxBeacon: all that
// decides who gets what stays, and a session's card has its summary in full.
func (b *Beacon) Fit() {
	for most := 4 * MaxSummary; most > 0 && len(b.Encode()) > MaxBeacon-signing; {
		most /= 2
		for i := range b.Cards {
			b.Cards[i].Summary = clip(b.Cards[i].Summary, most)
		}
	}
}

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
