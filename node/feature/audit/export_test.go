package audit

// ReadCursor reads a cursor of the log and writes it again.
func ReadCursor(text string) (string, error) {
	at, err := parseSpot(text)
	if err != nil {
		return "", err
	}
	return at.String(), nil
}
