package state

// StaffDepartments are the identity providers of departments, by their id; anchored.
const StaffDepartments Table = "staff_department"

// StaffDepartment is one: its configuration in force, and the one that waits for a
// second person; empty where there is none. Both are public.
type StaffDepartment struct {
	Config   []byte
	Next     []byte `json:",omitempty"`
	Proposal string `json:",omitempty"`
	Since    int64
}

// ProposeDepartment is the kind of a proposal to take a department's configuration in.
const ProposeDepartment = "department"
