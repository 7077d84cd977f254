package messages

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/op"
)

// inboxPoll is the pause between looks into the inbox while `inbox --wait` waits.
const inboxPoll = 50 * time.Millisecond

func (a *app) sendCommand() *cobra.Command {
	var in message.SendRequest
	var priority string
	cmd := &cobra.Command{
		Use:   "send <to> <message…>",
		Short: "Send a message to a session, a person, a group or everybody",
		Long: "Send a message to a session or a person by name, public key or a prefix of one, to a\n" +
			"@group with the groups in it, or to everybody: @all. Several are separated by commas.\n" +
			"The words are joined by blanks; - as the message reads it from stdin. It returns\n" +
			"once the message is safe on disk here; it is delivered when the others can be reached.\n" +
			"If one of several cannot be sent to, the others get it, and the exit status tells why.",
		Example: "claudemesh send ana the tests pass now\ngit diff | claudemesh send @reviewers,ben - --priority low",
		Args:    run.Words(2, -1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if in.Message, err = a.Body(args[1:]); err != nil {
				return err
			}
			in.To, in.Priority = run.CommaList(args[0]), message.Priority(priority)
			if err := checkSend(in); err != nil {
				return err
			}
			if in.Mesh, err = a.OneMesh(cmd.Context()); err != nil {
				return err
			}
			out, err := run.Call(cmd.Context(), a.App, message.Send, in)
			if err != nil {
				return sendHint(err)
			}
			a.Used(a.Mesh)
			if err := run.Show(a.App, out, a.printSent); err != nil {
				return err
			}
			return unsent(out)
		},
	}
	cmd.Flags().StringVar(&priority, "priority", "next", "`how` urgent: now, next (when they are idle) or low (when they ask)")
	cmd.Flags().StringVar(&in.ReplyTo, "reply-to", "", "the `id` of the message you answer")
	cmd.Flags().StringVar(&in.ID, "id", "", "your own `id` (UUID) for it: sending again under it sends once")
	cmd.Flags().StringVar(&in.ExpiresIn, "expires", "", "give up after this `long`, as in 30m, 12h, 7d (default 7d)")
	return cmd
}

// checkSend refuses what needs no node to be seen as wrong.
func checkSend(in message.SendRequest) error {
	switch in.Priority {
	case message.Now, message.Next, message.Low, "":
	default:
		return run.Usage("now is at once, next when they are idle, low when they ask", "--priority %q is none of now, next, low", string(in.Priority))
	}
	if len(in.To) == 0 {
		return run.Usage("type a name, a @group, @all, or several separated by commas", "there is nobody to send it to")
	}
	if in.Message == "" {
		return run.Usage("type the message behind the name, or - to read it from stdin", "the message is empty")
	}
	return nil
}

// sendHints are the next steps where the operation leaves them to its surface, by
// how its message begins.
var sendHints = map[string]string{
	"expires_in:": "give --expires a time as in 30m, 12h or 7d, at most 30d",
	"id:":         "--id takes a UUID; leave it out and the message gets one",
	"reply_to:":   "--reply-to takes the whole id of a message, as `claudemesh inbox` shows it",
}

func sendHint(err error) error {
	e := op.AsError(err)
	for start, hint := range sendHints {
		if e.Code == op.Invalid && e.Hint == "" && strings.HasPrefix(e.Message, start) {
			return e.WithHint("%s", op.Word(hint))
		}
	}
	return err
}

// unsent is the verdict on a message that went to some of its targets and not to others.
func unsent(r message.SendResponse) error {
	for _, t := range r.Targets {
		if !t.OK {
			return run.Verdict(run.Status(t.Code))
		}
	}
	return nil
}

func (a *app) printSent(r message.SendResponse) {
	for _, t := range r.Targets {
		switch {
		case !t.OK:
			a.Term.Line("%s %s: %s", term.Red(term.Bad), t.Target, t.Error)
		case t.Warning != "":
			a.Term.Line("%s Sent to %s (%s).", term.Green(term.OK), term.Bold(t.Name), r.ID)
			a.Term.Warn("%s", t.Warning)
		case t.Members > 0:
			a.Term.Line("%s Sent to %s, for %s (%s): %s.", term.Green(term.OK), term.Bold(t.Target), a.Count(t.Members, "member", "members"), r.ID, string(t.State))
		case t.Online:
			a.Term.Line("%s Sent to %s (%s), who is online.", term.Green(term.OK), term.Bold(t.Name), r.ID)
		default:
			a.Term.Line("%s Sent to %s (%s): %s until they appear.", term.Green(term.OK), term.Bold(t.Name), r.ID, string(t.State))
		}
	}
	if r.Warning != "" {
		a.Term.Warn("%s", r.Warning)
	}
}

func (a *app) inboxCommand() *cobra.Command {
	var in message.CheckRequest
	var wait float64
	cmd := &cobra.Command{
		Use:   "inbox",
		Short: "Read the messages that wait for you",
		Long:  "Read the messages that wait for you, and mark them read: a second look shows only new ones.",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Not "wait < 0", which a NaN is not either.
			if !(wait >= 0 && wait <= 24*60*60) {
				return run.Usage("give --wait a number of seconds, at most 86400", "--wait cannot be %v", wait)
			}
			if in.Limit < 1 {
				return run.Usage("give --limit a number from 1 to 500", "--limit cannot be %d", in.Limit)
			}
			all, err := a.check(cmd.Context(), in, time.Duration(wait*float64(time.Second)))
			if err != nil {
				return err
			}
			return a.showInbox(cmd.Context(), all)
		},
	}
	cmd.Flags().Float64Var(&wait, "wait", 1, "wait this many `seconds` for a message, at most")
	cmd.Flags().BoolVar(&in.Again, "again", false, "also show what was pushed earlier but never confirmed")
	cmd.Flags().IntVar(&in.Limit, "limit", 100, "at most this `many` of each mesh")
	return cmd
}

// check reads the inbox of each mesh, again and again while all are empty and time
// is left. It does not follow the feed: inside an agent session that would take the
// feed away from the agent's own MCP server.
func (a *app) check(ctx context.Context, in message.CheckRequest, wait time.Duration) ([]message.CheckResponse, error) {
	until := time.Now().Add(wait)
	slugs, err := a.EveryMesh(ctx)
	if err != nil {
		return nil, err
	}
	for {
		var all []message.CheckResponse
		some := false
		for _, in.Mesh = range slugs {
			out, err := run.Call(ctx, a.App, message.Check, in)
			if err != nil {
				return nil, err
			}
			all = append(all, out)
			some = some || len(out.Messages) > 0
		}
		if some || !time.Now().Before(until) {
			return all, nil
		}
		timer := time.NewTimer(min(inboxPoll, time.Until(until)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
}

// showInbox shows what came from each mesh and, once that is really written, marks
// it read.
func (a *app) showInbox(ctx context.Context, all []message.CheckResponse) error {
	var sum message.CheckResponse
	for _, r := range all {
		sum.Messages = append(sum.Messages, r.Messages...)
		sum.More += r.More
		sum.Unconfirmed = append(sum.Unconfirmed, r.Unconfirmed...)
	}
	err := run.Show(a.App, inboxDocOf(sum), func(inboxDoc) { a.printInbox(sum) })
	if len(sum.Messages) == 0 {
		return err
	}
	if err := a.Shown(err); err != nil {
		return err
	}
	for _, r := range all {
		if len(r.Messages) == 0 {
			continue
		}
		if _, err := run.Call(ctx, a.App, message.Read, r.Shown()); err != nil {
			return err
		}
	}
	return nil
}

// inboxDoc names things as scripts know them.
type inboxDoc struct {
	Messages    []inboxMessage `json:"messages"`
	More        int            `json:"more,omitempty"`
	Unconfirmed []string       `json:"unconfirmed,omitempty"`
}

type inboxMessage struct {
	ID            string `json:"messageId"`
	MeshID        string `json:"meshId"`
	Mesh          string `json:"mesh"`
	SenderKey     string `json:"senderPubkey"`
	SenderName    string `json:"senderName"`
	SenderSession string `json:"senderSessionPubkey"`
	Priority      string `json:"priority"`
	CreatedAt     string `json:"createdAt"`
	ReceivedAt    string `json:"receivedAt"`
	Plaintext     string `json:"plaintext"`
	Kind          string `json:"kind"`
	Subtype       string `json:"subtype,omitempty"`
	ReplyTo       string `json:"replyTo,omitempty"`
	Again         bool   `json:"again,omitempty"`
	// Target is what a broadcast was sent to, Files the shared files that belong to it.
	Target string   `json:"target,omitempty"`
	Files  []string `json:"files,omitempty"`
}

func inboxDocOf(r message.CheckResponse) inboxDoc {
	d := inboxDoc{Messages: []inboxMessage{}, More: r.More, Unconfirmed: r.Unconfirmed}
	for _, m := range r.Messages {
		d.Messages = append(d.Messages, inboxMessage{
			ID: m.ID, MeshID: m.MeshID, Mesh: m.Mesh,
			SenderKey: m.FromMember, SenderName: m.FromName, SenderSession: m.FromSession,
			Priority: m.Priority, CreatedAt: m.SentAt, ReceivedAt: m.DeliveredAt,
			Plaintext: m.Body, Kind: m.Kind, Subtype: m.Subtype, ReplyTo: m.ReplyTo, Again: m.AgainOffered, Target: m.Target, Files: m.Files,
		})
	}
	return d
}

func (a *app) printInbox(r message.CheckResponse) {
	if len(r.Messages) == 0 {
		a.Term.Line("No new messages.")
	}
	now := time.Now()
	for i, m := range r.Messages {
		if i > 0 {
			a.Term.Blank()
		}
		to := ""
		if m.Target != "" {
			to = "to " + m.Target
		}
		urgency := ""
		if m.Priority != "next" {
			urgency = m.Priority
		}
		notes := run.Joined(" · ", m.Mesh, m.Kind, to, m.Subtype, urgency, run.Clock(m.SentAt, now), m.ID)
		if m.ReplyTo != "" {
			notes += " · in reply to " + m.ReplyTo
		}
		if m.AgainOffered {
			notes += " · shown again"
		}
		a.Term.Line("%s %s", term.Bold(m.FromName), term.Dim(notes))
		a.Term.Block(2, m.Body)
		if len(m.Files) > 0 {
			a.Term.Line("  %s", term.Dim("files "+strings.Join(m.Files, ", ")))
		}
	}
	if r.More > 0 {
		a.Term.Note("%d more wait: run it again.", r.More)
	}
	if n := len(r.Unconfirmed); n > 0 {
		a.Term.Note("%d given out earlier and not known to be seen: --again shows them.", n)
	}
}

func (a *app) sentCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "msg-status <id>",
		Short:   "Tell what became of a message you sent",
		Example: "claudemesh msg-status 01890a5d-ac96",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := a.findSent(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return run.Show(a.App, out, a.printStatus)
		},
	}
}

// findSent looks for a message in each mesh. Its id says which one that is, so that
// nobody need choose.
func (a *app) findSent(ctx context.Context, id string) (message.StatusResponse, error) {
	var found []message.StatusResponse
	var none error
	slugs, err := a.EveryMesh(ctx)
	if err != nil {
		return message.StatusResponse{}, err
	}
	for _, slug := range slugs {
		out, err := run.Call(ctx, a.App, message.Status, message.StatusRequest{InMesh: op.InMesh{Mesh: slug}, ID: id})
		switch {
		case err == nil:
			found = append(found, out)
		case op.CodeOf(err) == op.NotFound:
			none = err
		default:
			return out, err
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return found[0], op.Errorf(op.Ambiguous, "%s begins ids in several meshes", id).WithHint("type more of it, or add --mesh")
	case len(slugs) > 1:
		return message.StatusResponse{}, op.Errorf(op.NotFound, "no message %s was sent from here in any of %s", id, strings.Join(slugs, ", ")).
			WithHint("%s", op.Word(op.AsError(none).Hint))
	}
	return message.StatusResponse{}, none
}

// fates are the colours of what became of a message.
var fates = map[message.State]func(string) term.Styled{
	message.Delivered: term.Green, message.Seen: term.Green,
	message.Expired: term.Red, message.Refused: term.Red,
}

func (a *app) printStatus(r message.StatusResponse) {
	a.Term.Line("%s %s", term.Bold(r.ID), term.Dim(run.Joined(" · ", r.Mesh, "sent "+run.Clock(r.CreatedAt, time.Now()))))
	if len(r.Recipients) == 0 {
		a.Term.Line("  nobody: no session was there that it means")
	}
	for _, p := range r.Recipients {
		hue, ok := fates[p.State]
		if !ok {
			hue = term.Yellow
		}
		held := ""
		if p.Held {
			held = "held there"
		}
		since := term.Dim(run.Joined(" · ", "since "+run.Clock(p.At, time.Now()), held, p.Reason))
		a.Term.Line("  %s  %s  %s", term.Bold(p.Name), hue(string(p.State)), since)
	}
}
