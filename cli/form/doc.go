// Package form lets a person type a request: from the schema of an operation's request
// it makes the words and the flags of a command, and from what was typed the request.
//
// What a request must have is typed as words, in the order of the schema; what it may
// have is a flag, called as the property with - for _. Lists are separated by commas,
// or are all the words left; any other JSON is typed as it is.
//
// It knows neither operations nor the node. That a request makes sense is judged there.
package form
