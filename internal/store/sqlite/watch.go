package sqlite

// unwatched is the Watch of a database without one.
type unwatched struct{}

// Committing implements sqldb.Watch.
func (unwatched) Committing(int) func(error) { return func(error) {} }

// Load implements sqldb.Busy.
func (d *database) Load() (waiting, reading int) {
	if d.group != nil {
		waiting = d.group.Waiting()
	}
	return waiting, len(d.pool.room)
}
