package roster

import "time"

// Pace is how often a beacon is sent and how long it speaks for its sessions in a mesh
// of so many nodes: above 200 both grow with the mesh, up to three times.
func Pace(nodes int) (interval, lease time.Duration) {
	const calm, most = 200, 3
	part := min(max(nodes, calm), most*calm)
	return Interval * time.Duration(part) / calm, Lease * time.Duration(part) / calm
}
