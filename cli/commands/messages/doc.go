// Package messages holds the commands about messages: send, inbox, msg-status.
//
// How they enter a running agent is in session.
package messages
