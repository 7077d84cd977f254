package hook

import "os"

// maxParents is how far up the agent is looked for: a hook may be called by a shell.
const maxParents = 6

// Parents are the processes above this one, nearest first.
func Parents() []int {
	var out []int
	for pid := os.Getppid(); pid > 1 && len(out) < maxParents; pid = parentOf(pid) {
		out = append(out, pid)
	}
	return out
}
