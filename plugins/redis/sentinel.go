package redis

// noSentinel is how go-redis' error begins where no sentinel has named a master.
// It goes on with what each of them answered.
const noSentinel = "redis: all sentinels "
