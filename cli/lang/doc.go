// Package lang has the languages in which the program speaks to people: English,
// which stands in the source, and Spanish, in es.json, by the English text.
//
// Spoken are help, questions, answers, notes, errors and their hints. JSON documents,
// tools, logs and what agents read stay English in every language: they are for programs.
// An error remembers how it was made (op.Phrase), also over the local socket, and is said
// by its format; texts of the system, and what somebody typed or wrote, stay as they are.
package lang
