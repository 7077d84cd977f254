package lang

import (
	_ "embed" // es.json
	"encoding/json"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
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

// in is the speech of a locale such as es_MX.UTF-8.
func in(locale string) Speech {
	name, _, _ := strings.Cut(locale, ".")
	name, _, _ = strings.Cut(name, "@")
	tag, err := language.Parse(name)
	if err != nil {
		return english
	}
	if base, _ := tag.Base(); base.String() != language.Spanish.String() {
		return english
	}
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	if _, err := bundle.ParseMessageFileBytes(spanish, "es.json"); err != nil {
		return english
	}
	speaker := i18n.NewLocalizer(bundle, language.Spanish.String())
	return func(text string) string {
		said, err := speaker.Localize(&i18n.LocalizeConfig{MessageID: text})
		if err != nil {
			return text
		}
		return said
	}
}
