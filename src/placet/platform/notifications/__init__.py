"""Notifications: what administrators are told of by mail, webhook and the services of Apprise.

1. What is told: a license that is about to expire, a limit that fills up, an upload that was refused
   (:mod:`~placet.platform.notifications.events`). What is told of whom is noted in the transaction that enters it, once
   for each channel there is, so that of all the servers on a database one enters an event, and each event is entered
   once.
2. A delivery is claimed by one server for one attempt, sent, and what came of it is noted.
3. An attempt that is known to have brought nothing there is made again, later and later, until it is given up.
4. Where it is not known whether it arrived (the server died between sending and noting, the connection was lost after
   the message had gone out), the delivery is *unknown*: that is shown, and it is not sent again. So an event arrives at
   a channel at most once.
"""
