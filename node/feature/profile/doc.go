// Package profile is what members tell about themselves: what a profile shows, and
// the display name, role tag, groups and message mode that an admin may set for
// somebody, too.
//
// Each of those stands under a key of its own, MEMBER/FIELD, so that of a member's
// own word and an admin's on one field the last one counts, and neither takes away
// what the other said on another field. Whether an author is an admin is asked when
// the field is read: what somebody wrote who is no admin any more is shown nowhere.
//
// A display name that is another member's name already counts nowhere: nobody can
// take up the name of somebody else.
//
// The package keeps and judges profiles. What a name or a message mode does is its
// users' affair, who are told of a change.
package profile
