package settings

import (
	"strings"
	"testing"
)

// Whatever is wrong with the address of releases, a password in it is shown to nobody.
func TestAnAddressIsShownWithoutItsSecrets(t *testing.T) {
	for address, want := range map[string]string{
		"https://ana:hunter2@x.org/r":       "https://…@x.org/r",
		"https://ana:hun@hunter2?@x.org/r":  "https://…@x.org/r",
		"ana:hunter2@x.org":                 "…@x.org",
		"ftp://hunter2@x.org":               "ftp://…@x.org",
		"https://x.org/r?token=hunter2":     "https://x.org/r?…",
		"https://x.org/r#hunter2":           "https://x.org/r#…",
		"https://a:hunter2@x.org:99999999/": "https://…@x.org:99999999/",
	} {
		err := checkUpdateURL(Value[string]{address, EnvUpdateURL})
		if err == nil || !strings.Contains(err.Error(), `"`+want+`"`) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
