// Package doctor says whether an installation is as it should be: findings, and
// the report that is made of them. What there is to be checked of a server or of
// a config is known by the packages that use it.
//
// A check never changes what it looks at, and no finding quotes a secret.
package doctor
