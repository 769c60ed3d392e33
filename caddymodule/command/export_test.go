package command

// NewDoctor is for the tests with all modules, which import this package.
var NewDoctor = newDoctor
