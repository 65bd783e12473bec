"""The schemes of Apprise that may be used: services that are reached by HTTP and nothing else.

Left out are what stays on this machine (dbus, gio, gnome, kde, macosx, qt, syslog, windows, blink1), what speaks
other protocols (amqp, aprs, growl, irc, mqtt, nostr, rsyslog, smpp, xmpp), what reads keys from files (fcm, vapid) and
mail, which has a channel of its own. A scheme of a later version of Apprise is not allowed until it is added here.
"""

SCHEMES = frozenset(
    # as words, because a line for each would be two hundred
    """
    46elks apprise apprises atalk azure bark barks betterstack bluesky brevo bsky bulksms bulkvs burstsms chanify
    clickatell clicksend cliq cm d7sms dapnet deltachat deltachats dingtalk discord dot eight00com elks emby embys
    enigma2 enigma2s evolution evolutions exotel feishu firehydrant flock flowtriq flowtriqs fluxer fluxers form
    forms freemobile gchat github goalert goalerts gorush gorushs gotify gotifys groundmail groupme guilded
    gupshup hassio hassios httpsms humhub humhubs ifttt ilert incidentio infobip jellyfin jellyfins jira join json
    jsons kakao kakaotalk kaleyra kavenegar klr kodi kodis kook kudosity kumulos lametric lametrics lark lauther
    lfg line mailersend mailgun mastodon mastodons matrix matrixs misskey misskeys mmost mmosts mobilemessage
    mobilemsg msg91 msgbird ncloud nclouds nctalk nctalks nexmo notica noticas notifiarr notifico notificos
    notifyre ntfy ntfys o365 octopush onebot onebots onesignal opsgenie pagerduty pagertree parsep parseps pbul
    pinglet pinglets pingram pjet pjets plivo postmark pover prowl psafer psafers push pushdeer pushdeers pushed
    pushme pushplus pushward pushy qq reddit resend revolt ringc rocket rockets ryver schan sendgrid sendpulse
    serwersms ses seven sfr signal signalgrid signals signl4 simplepush sinch slack smsc smseagle smseagles
    smsmanager smsmgr smstunnel smtp2go sns sparkpost spike splunk spugpush spush squadcast stackfield strmlabs
    synology synologys telesign telnyx tgram threema toot toots trigv trigvs tweet twilio twist twitter viber
    victorops voipms vonage webex wechat wecom wecombot whapi whatsapp workflow workflows wpush wxpusher wxteams x
    xbmc xbmcs xmatters xml xmls youlmk zalo zcliq zohocliq zoom zulip
    """.split()  # noqa: SIM905
)
