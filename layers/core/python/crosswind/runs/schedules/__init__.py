"""When runs start by themselves: schedules by time, triggers by domain events. Pure rules and the ports they are fed by."""
