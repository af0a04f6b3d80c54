// GraphQL documents of findings.
import { graphql } from "@ledgerbell/client/graphql";

/** The fields of a finding. */
const FINDING = graphql(`
  fragment LedgerbellFinding on Finding @_unmask {
    id
    code
    symptom
    severity
    summary
    cause
    since
    remedy {
      label
      action
      mutation
      variables
      url
      help
    }
  }
`);

/** All findings. */
export const FINDINGS = graphql(
  `
    query LedgerbellFindings($id: ID) {
      account(id: $id) {
        liveCursor
        troubleshooting {
          ...LedgerbellFinding
        }
      }
    }
  `,
  [FINDING],
);

/** All findings, after each change. */
export const FINDINGS_LIVE = graphql(
  `
    subscription LedgerbellFindingsLive($id: ID, $after: LiveCursor) {
      troubleshootingChanged(accountId: $id, after: $after, replayAtMost: 1) {
        cursor
        signal
        findings {
          ...LedgerbellFinding
        }
      }
    }
  `,
  [FINDING],
);
