package lang

import (
	_ "embed" // es.json
	"encoding/json"
	"strings"
)

//go:embed es.json
var spanish []byte

// Speech says a text of the source in a person's language. A text it has no words for
// it gives back as it is. It is safe for concurrent use.
type Speech func(text string) string

// For chooses by the environment: CLAUDEMESH_LANG, else what POSIX names for messages
// (LC_ALL, LC_MESSAGES, LANG). English costs nothing.
func For(getenv func(string) string) Speech {
	for _, name := range []string{"CLAUDEMESH_LANG", "LC_ALL", "LC_MESSAGES", "LANG"} {
		if chosen := getenv(name); chosen != "" {
			return in(chosen)
		}
	}
	return english
}

func english(text string) string { return text }

// in is the speech of a locale such as es_MX.UTF-8. Only Spanish has words; they hang on
// nothing but the text, so that a table says all of them.
func in(locale string) Speech {
	language, _, _ := strings.Cut(locale, ".")
	language, _, _ = strings.Cut(language, "@")
	language, _, _ = strings.Cut(strings.ReplaceAll(language, "-", "_"), "_")
	if !strings.EqualFold(language, "es") {
		return english
	}
	var words map[string]string
	if err := json.Unmarshal(spanish, &words); err != nil {
		return english
	}
	return func(text string) string {
		if said, ok := words[text]; ok {
			return said
		}
		return text
	}
}
