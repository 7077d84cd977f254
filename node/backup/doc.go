// Package backup is the file in which a person keeps what only this machine has: how
// it is sealed, what is in it, and the operation that writes one.
//
// What lives here: the format below, the content as plain data, copying rows out of
// and into a store. What does not: what the rows mean (whoever owns a bucket does),
// and putting a backup into a folder, which is package node's.
//
// # The file
//
//	0    4     "CMB1"
//	4    16    salt
//	20   24    nonce
//	44   n+16  XChaCha20-Poly1305 of the content, no associated data
//
// The key is Argon2id version 1.3 of the passphrase's UTF-8 bytes: 2 passes, 64 MiB,
// 1 lane, 32 bytes. Files of earlier programs have the same format; their content is
// a config.json, ours a JSON document that says so in its first key.
//
// # The content
//
// Settings (config.json), and of each mesh its member seed, admin log, epoch keys,
// invites and what is known of the others' nodes; besides, the rows of features that
// are this machine's own word, such as grants. Never the node key, delivery keys,
// session keys, mail or shared records: those a restored node makes anew or fetches
// from the others.
package backup
