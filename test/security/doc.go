// Package security runs the program as it is delivered and looks at it from outside: as
// another user of the machine, as a web page, as somebody who captures packets. The
// table of who may do what is in SECURITY.md; what one package alone must refuse is
// tested there.
package security
