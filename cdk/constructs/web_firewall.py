"""The only place that makes a web ACL: AWS's rule groups and a limit per address in front of the API."""

from dataclasses import dataclass

from aws_cdk import aws_wafv2
from constructs import Construct

_BODY_RULES = (
    "SizeRestrictions_BODY",
    "CrossSiteScripting_BODY",
    "GenericLFI_BODY",
    "GenericRFI_BODY",
    "EC2MetaDataSSRF_BODY",
)
"""Rules about bodies only count: a suite holds shell commands, URLs and paths, and may be 1 MiB long."""


@dataclass(frozen=True, kw_only=True)
class WebFirewallProps:
    """What is protected, and how often one address may call in five minutes."""

    resource_arn: str
    requests_per_five_minutes: int


class WebFirewall(Construct):
    """A regional web ACL on one API stage."""

    def __init__(self, scope: Construct, construct_id: str, *, props: WebFirewallProps) -> None:
        super().__init__(scope, construct_id)
        acl = aws_wafv2.CfnWebACL(
            self,
            "Acl",
            scope="REGIONAL",
            default_action=aws_wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visibility("Acl"),
            rules=[
                _managed("AWSManagedRulesCommonRuleSet", 1, counted=_BODY_RULES),
                _managed("AWSManagedRulesKnownBadInputsRuleSet", 2),
                _managed("AWSManagedRulesAmazonIpReputationList", 3),
                _rate_limit(props.requests_per_five_minutes, 4),
            ],
        )
        aws_wafv2.CfnWebACLAssociation(
            self, "Association", resource_arn=props.resource_arn, web_acl_arn=acl.attr_arn
        )


def _managed(name: str, priority: int, *, counted: tuple[str, ...] = ()) -> aws_wafv2.CfnWebACL.RuleProperty:
    count = aws_wafv2.CfnWebACL.RuleActionProperty(count={})
    overrides = [
        aws_wafv2.CfnWebACL.RuleActionOverrideProperty(name=rule, action_to_use=count) for rule in counted
    ]
    group = aws_wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
        vendor_name="AWS", name=name, rule_action_overrides=overrides or None
    )
    return aws_wafv2.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=aws_wafv2.CfnWebACL.OverrideActionProperty(none={}),
        statement=aws_wafv2.CfnWebACL.StatementProperty(managed_rule_group_statement=group),
        visibility_config=_visibility(name),
    )


def _rate_limit(limit: int, priority: int) -> aws_wafv2.CfnWebACL.RuleProperty:
    statement = aws_wafv2.CfnWebACL.RateBasedStatementProperty(limit=limit, aggregate_key_type="IP")
    return aws_wafv2.CfnWebACL.RuleProperty(
        name="RatePerAddress",
        priority=priority,
        action=aws_wafv2.CfnWebACL.RuleActionProperty(block={}),
        statement=aws_wafv2.CfnWebACL.StatementProperty(rate_based_statement=statement),
        visibility_config=_visibility("RatePerAddress"),
    )


def _visibility(name: str) -> aws_wafv2.CfnWebACL.VisibilityConfigProperty:
    return aws_wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
    )
