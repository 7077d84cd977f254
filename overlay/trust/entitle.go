package trust

import (
	"slices"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// admin is rule 2 for admins: its past made the signer an admin, and nothing
// ended that without having seen the entry, unless the entry's past holds that
// end and a later grant.
func (v *view) admin(key ident.PublicKey, i int) bool {
	return key == v.log.owner || v.entitled(key, i, isAdmin, true)
}

// adminAt is admin by what the past of i says alone.
func (v *view) adminAt(key ident.PublicKey, i int) bool {
	return key == v.log.owner || v.entitled(key, i, isAdmin, false)
}

// service is rule 2 for services.
func (v *view) service(key ident.PublicKey, i int) bool {
	return v.entitled(key, i, isService, true)
}

// serviceAt is service by what the past of i says alone.
func (v *view) serviceAt(key ident.PublicKey, i int) bool {
	return v.entitled(key, i, isService, false)
}

// isAdmin sorts an act about an admin: does it grant, does it end. Only the
// owner and the admin itself can do either; entries of admins about a person
// who is none at that time change nothing here.
func isAdmin(a act) (grants, ends bool) {
	if a.level != RoleOwner && !a.own {
		return false, false
	}
	return a.role == RoleAdmin, a.role != RoleAdmin
}

// isService sorts an act about a service. To be made an admin ends nothing.
func isService(a act) (grants, ends bool) {
	return a.role == RoleService, a.role != RoleService && a.role != RoleAdmin
}

// entitled applies rule 2 to the acts about key, as sorted by kind. strong
// tells whether ends count that the past of i does not hold. An end by a
// service, which can only be a second claim of the same service, is never
// strong.
func (v *view) entitled(key ident.PublicKey, i int, kind func(act) (grants, ends bool), strong bool) bool {
	granted := false
	for _, a := range v.acts[key] {
		grants, ends := kind(a)
		switch {
		case grants:
			granted = granted || v.graph().Before(a.at, i)
		case ends && v.graph().Before(a.at, i):
			if !v.regranted(key, a.at, i, kind) {
				return false
			}
		case ends && strong && a.level != RoleService && v.graph().Concurrent(i, a.at) && !v.closed(key, i, a, kind):
			return false
		}
	}
	return granted
}

// closed tells whether somebody else's end had seen the entry at i and not the
// leave that is concurrent with it: what a removed admin did before stays, and
// no leave that it dates back takes that away.
func (v *view) closed(key ident.PublicKey, i int, leave act, kind func(act) (grants, ends bool)) bool {
	return leave.own && slices.ContainsFunc(v.acts[key], func(a act) bool {
		_, ends := kind(a)
		return ends && !a.own && v.graph().Before(i, a.at) && !v.graph().Before(leave.at, a.at)
	})
}

// regranted tells whether the past of i holds a grant that came after end.
func (v *view) regranted(key ident.PublicKey, end, i int, kind func(act) (grants, ends bool)) bool {
	return slices.ContainsFunc(v.acts[key], func(a act) bool {
		grants, _ := kind(a)
		return grants && v.graph().Before(end, a.at) && v.graph().Before(a.at, i)
	})
}

// lasting is the acts about a person that no later one replaced.
func (v *view) lasting(key ident.PublicKey) []act {
	var at []int
	for _, a := range v.acts[key] {
		at = append(at, a.at)
	}
	top := v.graph().Maximal(at)
	return slices.DeleteFunc(slices.Clone(v.acts[key]), func(a act) bool {
		return !slices.Contains(top, a.at)
	})
}

// role is rule 5: what a person is. Any lasting removal or leave: nothing;
// else the lowest role.
func (v *view) role(key ident.PublicKey) Role {
	if key == v.log.owner {
		return RoleOwner
	}
	lowest := RoleNone
	for _, a := range v.lasting(key) {
		if a.role == RoleNone {
			return RoleNone
		}
		if lowest == RoleNone || a.role < lowest {
			lowest = a.role
		}
	}
	return lowest
}
