package setup

import (
	"bytes"
	"fmt"
)

// mark tells a skill that was written here from one of the same name that was not.
const mark = "<!-- written by `claudemesh install`; changes are lost at the next one -->"

// SkillText is the skill's file with a body.
func SkillText(body string) string {
	return "---\nname: " + Name + "\ndescription: Talk to other coding-agent sessions and people over claudemesh from the shell, " +
		"to send and read messages, see peers, share state and set a status. Use it when the mesh tools are missing or a script needs them.\n---\n" +
		mark + "\n\n" + body
}

func (s *Setup) skill(path string) target {
	return target{
		path: path, what: "skill", ownFolder: true, without: "Claude Code is not taught the commands",
		put: func(old []byte) ([]byte, string, error) {
			if len(old) > 0 && !bytes.Contains(old, []byte(mark)) {
				return nil, "", fmt.Errorf("%w: a skill of this name that was not written by claudemesh", ErrForeign)
			}
			return []byte(SkillText(s.cfg.Skill)), "", nil
		},
		take: func(old []byte) ([]byte, error) {
			if bytes.Contains(old, []byte(mark)) {
				return nil, nil
			}
			return old, nil
		},
	}
}
