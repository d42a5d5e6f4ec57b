// Package kill proves the main job with real processes: nodes are killed and
// stopped, central is stopped, and what the generator saw acknowledged is
// compared with what the catcher caught, the journals hold and central shows.
package kill
