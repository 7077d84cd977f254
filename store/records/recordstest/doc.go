// Package recordstest is what tables of records must do, whatever they are made of:
// one test body, run over the store's tables and over those that tests keep in
// memory. It knows no record; that is overlay/replica's.
package recordstest
