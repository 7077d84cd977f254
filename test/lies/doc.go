// Package lies has a table of what a member could claim that is not so: every kind of
// statement, field by field, with good signatures of the liar's own keys wherever the
// format lets it. Each is given to the very parsers and judges that a node uses, and
// must change nothing; and each is told to a whole node by a modified client, on the way
// that it would come by, and must be counted and shown. It holds no lies about how bytes
// are framed: those are the fuzz targets' beside each decoder.
package lies
