package jsontext

import "errors"

// ErrSyntax means that a text is no JSON. The error says where.
var ErrSyntax = errors.New("not valid JSON")

// ErrShape means that a value on the way to another one is of a kind that cannot hold it.
var ErrShape = errors.New("not what was expected there")
