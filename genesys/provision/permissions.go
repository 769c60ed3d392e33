package provision

// Job is something that can be done here.
type Job string

// The jobs.
const (
	JobRanges        Job = "ip-ranges"
	JobCheck         Job = "check"
	JobDataAction    Job = "provision data-action"
	JobOpenMessaging Job = "provision open-messaging"
	JobList          Job = "list"
	JobRemove        Job = "remove"
)

const (
	viewIntegration = "integrations:integration:view"
	viewAction      = "integrations:action:view"
	viewMessaging   = "messaging:integration:view"
)

// Permissions returns those that a job needs. A client without a role can do
// what needs none.
func Permissions(j Job) []string {
	switch j {
	case JobDataAction:
		return []string{
			"integrations:integration:add", viewIntegration, "integrations:integration:edit",
			"integrations:action:add", viewAction, "integrations:action:edit", "integrations:action:execute",
		}
	case JobOpenMessaging:
		return []string{"messaging:integration:add", viewMessaging, "messaging:integration:edit", "messaging:integration:delete"}
	case JobList:
		return []string{viewIntegration, viewAction, viewMessaging}
	case JobRemove:
		return []string{
			viewIntegration, "integrations:integration:delete", viewAction, "integrations:action:delete",
			viewMessaging, "messaging:integration:delete",
		}
	}
	return nil
}
