package mesh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/join"
	"github.com/claudemesh/claudemesh/overlay/join/code"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
)

// Code gives out an invite that can be spoken.
var Code = op.Spec[InviteRequest, CodeResponse]{
	ID: "code.new",
	Doc: "Make an invite that can be spoken, a number and two words, for somebody on the same network. " +
		"It is good for one person and ten minutes; one wrong guess ends it.",
	Needs: op.Manage,
}

// CodeWait tells what becomes of a code.
var CodeWait = op.Spec[CodeWaitRequest, CodeWaitResponse]{
	ID:    "code.wait",
	Doc:   "Wait, at most 20 seconds, for something to become of a spoken invite, and tell what.",
	Needs: op.Manage,
}

// CodeEnd withdraws a code.
var CodeEnd = op.Spec[CodeEndRequest, CodeWaitResponse]{
	ID:    "code.end",
	Doc:   "End a spoken invite that nobody has used yet.",
	Needs: op.Manage,
}

// CodeResponse carries the code, which is a secret.
type CodeResponse struct {
	Mesh    string `json:"mesh"`
	Code    string `json:"code" jsonschema:"what to speak, as in 4-tiger-harbor"`
	Plate   int    `json:"nameplate" jsonschema:"the code's number, by which code.wait and code.end know it"`
	Role    string `json:"role"`
	Expires string `json:"expires_at" jsonschema:"RFC 3339"`
	// Addresses are where this node can be reached, for whoever does not find it.
	Addresses []string `json:"addresses"`
}

// Text shows the code and what it is worth.
func (r CodeResponse) Text() string {
	return fmt.Sprintf("%s\nGood for one person as %s of %s until %s, on this network; one wrong guess ends it.", r.Code, r.Role, r.Mesh, r.Expires)
}

// CodeWaitRequest names a code.
type CodeWaitRequest struct {
	Plate int    `json:"nameplate" jsonschema:"the code's number"`
	Known string `json:"known,omitempty" jsonschema:"what is known of it already; another outcome is answered at once"`
}

// CodeEndRequest names a code.
type CodeEndRequest struct {
	Plate int `json:"nameplate" jsonschema:"the code's number"`
}

// CodeWaitResponse says what became of a code.
type CodeWaitResponse struct {
	Outcome string `json:"outcome" jsonschema:"waiting, given (its holder is joining), joined, burnt, expired or withdrawn"`
	Member  string `json:"member,omitempty" jsonschema:"who joined"`
	Starts  int    `json:"starts" jsonschema:"how many attempts there were"`
	LeftMS  int64  `json:"left_ms" jsonschema:"how long it is good for still"`
}

// codeLook is how long one answer of code.wait may take.
const codeLook = 20 * time.Second

// Codes are the codes given out here.
func (a *Meshes) Codes() *code.Book { return a.codes }

// answerCode makes an invite for one person whose secret only a spoken code leads to.
func (a *Meshes) answerCode(ctx context.Context, _ op.Caller, in InviteRequest) (CodeResponse, error) {
	m, err := a.findIn(in.Mesh)
	if err != nil {
		return CodeResponse{}, err
	}
	if in.Uses > 1 || in.Expires != "" {
		return CodeResponse{}, op.Errorf(op.Invalid, "a spoken invite is for one person and %d minutes", int(code.Lasts.Minutes())).
			WithHint("leave --uses and --expires out, or make a link: `claudemesh invite`")
	}
	want, err := a.wanted(in)
	if err != nil {
		return CodeResponse{}, err
	}
	want.Expires = a.cfg.Now().Add(code.Lasts)
	secret, err := invite.NewSecret()
	if err != nil {
		return CodeResponse{}, err
	}
	want.Key = secret.Key().Public()
	if err := m.invite(ctx, secret, want); err != nil {
		return CodeResponse{}, err
	}
	c, err := a.codes.Offer(secret)
	if err != nil {
		a.burnt(ctx, want.Key)
		return CodeResponse{}, codeError(err)
	}
	return CodeResponse{
		Mesh: m.Slug(), Code: c.Text(), Plate: c.Plate, Role: want.Role.String(),
		Expires: want.Expires.UTC().Format(time.RFC3339), Addresses: linkAddrs(a.cfg.Net.Addrs()),
	}, nil
}

func (a *Meshes) answerCodeWait(ctx context.Context, _ op.Caller, in CodeWaitRequest) (CodeWaitResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, codeLook)
	defer cancel()
	s, err := a.codes.Wait(ctx, in.Plate, code.Outcome(in.Known))
	return codeStatus(s), codeError(err)
}

func (a *Meshes) answerCodeEnd(ctx context.Context, _ op.Caller, in CodeEndRequest) (CodeWaitResponse, error) {
	if key, ok := a.codes.Withdraw(in.Plate); ok {
		a.burnt(ctx, key)
	}
	s, err := a.codes.Status(in.Plate)
	return codeStatus(s), codeError(err)
}

func codeStatus(s code.Status) CodeWaitResponse {
	return CodeWaitResponse{Outcome: string(s.Outcome), Member: s.Name, Starts: s.Starts, LeftMS: s.Left.Milliseconds()}
}

// burnt ends the invite of a code that is over.
func (a *Meshes) burnt(ctx context.Context, key ident.PublicKey) {
	m, _, err := a.invited(key)
	if err != nil {
		return
	}
	inv, ok := m.inviteBy(key)
	if !ok || inv.Ended {
		return
	}
	added, err := m.sign(ctx, func() (trust.Entry, error) {
		return m.admin.SignUninvite(m.member, []ident.ID{inv.ID}, a.cfg.Now())
	})
	if err != nil {
		m.log().Warn("the invite of a code was not ended; it expires by itself", "mesh", m.id, "error", err)
		return
	}
	a.changed(m, added)
}

// redeem makes a link of a spoken code.
func (a *Meshes) redeem(ctx context.Context, text, at string) (invite.Link, error) {
	c, behind, err := code.Parse(text)
	if err != nil {
		return invite.Link{}, codeError(err)
	}
	if behind != "" {
		at = behind
	}
	link, err := a.cfg.Net.Redeem(ctx, c, at)
	return link, codeError(err)
}

// codeError gives a failure that concerns a code its code. Its sentence says the next
// step already.
func codeError(err error) error {
	codes := []struct {
		err  error
		code op.Code
	}{
		{code.ErrUnknown, op.NotFound}, {code.ErrBusy, op.Unavailable}, {code.ErrWrong, op.Denied}, {code.ErrImpostor, op.Denied},
		{code.ErrUnavailable, op.Unavailable}, {code.ErrMalformed, op.Invalid}, {code.ErrCode, op.Invalid}, {code.ErrWord, op.Invalid},
		{code.ErrTooMany, op.RateLimited}, {join.ErrUnreachable, op.Offline},
	}
	var known *op.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return op.Errorf(c.code, "%w", err)
		}
	}
	return err
}
