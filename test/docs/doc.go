// Package docs holds the tests that keep the documents true: every fenced sh block
// of the README is run, every link leads somewhere, and the reference page is what
// the operations say.
package docs
