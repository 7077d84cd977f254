// Package docs holds the tests that keep the documents true: every fenced sh block
// of the README is run, every link leads somewhere, and the pages of
// operations, commands and documents are what the program says.
package docs
