package run

import "testing"

func TestLinks(t *testing.T) {
	for word, want := range map[string]bool{
		"claudemesh://join/abc": true, "claudemesh://i/abc": true, "ic://join/x": true,
		"https://example.org/i/abc": true, "http://example.org/es/join/abc": true,
		"https://example.org/esp/join/abc": false, "https://example.org/i/": false,
		"https://example.org/": false, "peers": false, "join/abc": false,
	} {
		if IsLink(word) != want {
			t.Errorf("%s: %v", word, !want)
		}
	}
	for word, want := range map[string]string{
		"ARApyjYAEBECgi7JagYsjlUdAj":           "claudemesh://join/ARApyjYAEBECgi7JagYsjlUdAj",
		" claudemesh://join/x ":                "claudemesh://join/x",
		"eyJ2IjoxLCJtZXNoIjoiYWJjIn0aaaaaaaaa": "eyJ2IjoxLCJtZXNoIjoiYWJjIn0aaaaaaaaa",
		"short":                                "short",
	} {
		if got := AsLink(word); got != want {
			t.Errorf("%q became %q", word, got)
		}
	}
}
