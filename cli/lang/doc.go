// Package lang has the languages in which the program speaks to people: English,
// which stands in the source, and Spanish, in es.json, by the English text.
//
// Spoken are help, questions, answers and notes. JSON documents, errors and logs stay
// English in every language: programs read the first, and people search for the
// others word by word. What a peer wrote is never translated.
package lang
