"""Makes a Plan happen: scheduler, driver, cache key, workers, publisher."""
