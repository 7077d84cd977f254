// Package records keeps the replicated records of meshes in the store: for each
// mesh a few tables, each a sorted map, inside one transaction. A Table is what
// overlay/replica works on; what the keys and values mean is written there and
// known nowhere else, so this package imports nothing but the store.
//
// Layout: bucket "records" / mesh id in text / table name. What any such tables must
// do, whatever they are made of, is tested by recordstest.
package records
