package edge

// Surface is the route table: everything the web role answers under its own origin.
// The handlers of these rows belong to no server and are not to be called.
func Surface() []Route { return (&Server{}).routes() }
